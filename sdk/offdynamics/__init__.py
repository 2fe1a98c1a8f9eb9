"""What training in one dynamics must know of another: one file, one paper."""
