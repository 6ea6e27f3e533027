"""Recipes from files: YAML held strictly to what a recipe may say."""
