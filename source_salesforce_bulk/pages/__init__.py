"""Result pages: fetch, verify and encode them."""
