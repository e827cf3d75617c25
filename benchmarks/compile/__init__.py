"""What it costs to turn a published description into code: Vitesse, others, and the floor of only parsing it."""
