"""The download, from a server on this machine that breaks off."""

import dataclasses
import http.server
import socket
import threading

import numpy as np
import pytest

from mmlt.datasets import CIFAR10
from mmlt.datasets.archive import check_md5, md5_of
from mmlt.datasets.download import DownloadError, download
from mmlt.errors import UserError

CONTENT = np.random.RandomState(0).bytes(3_000_000)


class Host:
    """Serves `content` at any path; the first connections break off after `breaks[i]` bytes."""

    def __init__(self):
        self.content, self.breaks, self.ranges, self.honours_range, self.status = CONTENT, [], [], True, 200
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get('Range')
                host.ranges.append(wanted)
                if host.status != 200:
                    return self.send_error(host.status)
                start = int(wanted.removeprefix('bytes=').rstrip('-')) if wanted and host.honours_range else 0
                if start >= len(host.content):
                    self.send_response(416)
                    self.send_header('Content-Range', f'bytes */{len(host.content)}')
                    self.send_header('Content-Length', '0')
                    return self.end_headers()
                body = host.content[start:]
                self.send_response(206 if start else 200)
                self.send_header('Content-Length', str(len(body)))
                if start:
                    self.send_header('Content-Range', f'bytes {start}-{len(host.content) - 1}/{len(host.content)}')
                self.end_headers()
                self.wfile.write(body[: host.breaks.pop(0)] if host.breaks else body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}/files'
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def host(monkeypatch):
    for name in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)
    host = Host()
    yield host
    host.server.shutdown()
    host.server.server_close()


def accept(path):
    pass


def test_a_file_arrives_whole(host, tmp_path):
    target = tmp_path / 'new' / 'a.tar.gz'
    download(f'{host.url}/a.tar.gz', target, accept)
    assert target.read_bytes() == CONTENT
    assert host.ranges == [None]
    assert not target.with_name('a.tar.gz.part').exists()


def test_a_connection_that_breaks_off_is_taken_up_where_it_ended(host, tmp_path):
    host.breaks = [1_000_000, 500_000]
    download(f'{host.url}/a', tmp_path / 'a', accept)
    assert (tmp_path / 'a').read_bytes() == CONTENT
    assert host.ranges == [None, 'bytes=1000000-', 'bytes=1500000-']


def test_an_interrupted_download_goes_on_in_the_next_run(host, tmp_path):
    host.breaks = [700_000, 0]
    with pytest.raises(DownloadError, match='broke off at 700000 of 3000000'):
        download(f'{host.url}/a', tmp_path / 'a', accept)
    assert not (tmp_path / 'a').exists()
    assert (tmp_path / 'a.part').read_bytes() == CONTENT[:700_000]
    download(f'{host.url}/a', tmp_path / 'a', accept)
    assert (tmp_path / 'a').read_bytes() == CONTENT
    assert host.ranges[-1] == 'bytes=700000-'


def test_a_host_without_ranges_sends_it_again(host, tmp_path):
    host.honours_range = False
    (tmp_path / 'a.part').write_bytes(CONTENT[:1000])
    download(f'{host.url}/a', tmp_path / 'a', accept)
    assert (tmp_path / 'a').read_bytes() == CONTENT


@pytest.mark.parametrize('part', [CONTENT, CONTENT + b'more'])
def test_a_part_that_is_whole_or_too_long(host, tmp_path, part):
    (tmp_path / 'a.part').write_bytes(part)
    download(f'{host.url}/a', tmp_path / 'a', accept)
    assert (tmp_path / 'a').read_bytes() == CONTENT


def test_two_at_once_download_once(host, tmp_path):
    threads = [threading.Thread(target=download, args=(f'{host.url}/a', tmp_path / 'a', accept)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert host.ranges == [None]
    assert (tmp_path / 'a').read_bytes() == CONTENT


def test_another_file_is_refused_and_deleted(host, tmp_path):
    with pytest.raises(UserError, match='not the published file'):
        download(f'{host.url}/cifar-10-python.tar.gz', tmp_path / 'a', lambda path: check_md5(path, CIFAR10.archive))
    assert not (tmp_path / 'a').exists() and not (tmp_path / 'a.part').exists()


def test_a_host_that_refuses_or_is_not_there(host, tmp_path):
    host.status = 404
    with pytest.raises(DownloadError, match='404'):
        download(f'{host.url}/a', tmp_path / 'a', accept)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        with pytest.raises(UserError) as error:
            CIFAR10(tmp_path, base_url=f'http://127.0.0.1:{free.getsockname()[1]}')
    for part in ('no CIFAR-10 in', str(tmp_path), 'train.npz and cifar-10-python.tar.gz', 'refused', 'run again'):
        assert part in str(error.value)


def test_cifar_fetches_its_archive(host, tmp_path, monkeypatch):
    from test_cifar import batches, write_archive

    archive = tmp_path / 'published.tar.gz'
    md5 = write_archive(archive, batches())
    assert md5 == md5_of(archive)
    monkeypatch.setattr(CIFAR10, 'archive', dataclasses.replace(CIFAR10.archive, md5=md5))
    host.content, host.breaks = archive.read_bytes(), [5000]
    dataset = CIFAR10(tmp_path / 'data', base_url=host.url)
    assert len(dataset) == 60 and dataset.verified
    assert len(CIFAR10(tmp_path / 'data', split='test', base_url=host.url)) == 12
    assert host.ranges == [None, 'bytes=5000-']
