"""What can be done with evidence: check its chain, find what belongs to a message, hand it to others."""
