"""The values of formula fields: what is remembered of them, and which rows have to be read again."""
