"""Functions for Shopify's values. Standard library only: this folder is copied into packages as it is."""
