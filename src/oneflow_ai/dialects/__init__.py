"""What our clients speak, pure: requests parsed, answers and errors encoded."""
