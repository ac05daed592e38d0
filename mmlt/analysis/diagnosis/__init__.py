"""What a folder or table of images is like, before anything is trained on it."""

from mmlt.analysis.diagnosis.findings import Diagnosis
from mmlt.analysis.diagnosis.histogram import histogram_png
from mmlt.analysis.diagnosis.look import look
from mmlt.analysis.diagnosis.page import diagnosis_page, findings_csv
from mmlt.analysis.diagnosis.start import Start, check_free, summary, write_start
from mmlt.analysis.diagnosis.terminal import report

__all__ = [
    'Diagnosis', 'Start', 'check_free', 'diagnosis_page', 'findings_csv', 'histogram_png', 'look', 'report', 'summary',
    'write_start',
]  # fmt: skip
