"""The one reading path shared by every runner."""
