"""Where experience is collected: this machine's processes, or others."""
