"""The values of formula fields: the memory of them, and the comparison that finds the rows to read again."""
