"""The cost of a read: this connector, others and the floor, side by side on the same pages (``make bench``)."""
