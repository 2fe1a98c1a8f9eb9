"""From logs of a real robot to the distribution over worlds that it belongs to."""
