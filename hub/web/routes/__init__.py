"""This package holds the routes of the API, with one module for each subject."""
