"""What SECURITY.md claims, each claim by a test."""
