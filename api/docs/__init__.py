"""Reference pages generated from the code, compared in the tests with what is committed."""
