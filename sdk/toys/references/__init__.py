"""What is known about each family: the best that can be done, and what simple strategies do. One file, one family."""
