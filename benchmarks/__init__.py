"""What Vitesse and its packages cost, beside others that do the same work, in one run on one machine."""
