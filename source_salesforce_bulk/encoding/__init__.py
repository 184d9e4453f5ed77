"""Result pages turned into records."""
