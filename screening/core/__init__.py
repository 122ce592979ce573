"""Foundations shared by everything that keeps state. Imports nothing else of ours."""
