"""Many finetunings that differ in some values of a recipe, and in its seed."""
