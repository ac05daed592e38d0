"""What is made of finished runs: result files, reports, plots and tables."""
