"""This package is a platform's side: it reads notices, acts on accounts and sends acknowledgements."""
