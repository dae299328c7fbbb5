"""The report as an HTML file that needs no network and no script to be read; a large one is a folder of such files."""

from dedup.report.page.writing import PageOptions, Written, check_target, write_page

__all__ = ["PageOptions", "Written", "check_target", "write_page"]
