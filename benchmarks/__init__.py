"""What the operators cost, beside what a good PyTorch user would write."""
