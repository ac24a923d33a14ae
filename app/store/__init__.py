"""What is stored: SQLModel tables, the writer and every query. Rows never leave this package."""
