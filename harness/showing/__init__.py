"""A run for reading in the terminal: the whole, a task, one document with its dialogue."""

from harness.showing.document import document_view
from harness.showing.overview import run_view
from harness.showing.reading import find_document
from harness.showing.task import Chosen, task_view

WIDTH = 120

__all__ = ["WIDTH", "Chosen", "document_view", "find_document", "run_view", "task_view"]
