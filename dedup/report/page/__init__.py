"""The report as one HTML file that needs nothing else: no network, no other file, and no script to be read."""

from dedup.report.page.writing import PageOptions, Written, write_page

__all__ = ["PageOptions", "Written", "write_page"]
