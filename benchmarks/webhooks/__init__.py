"""Deliveries of webhooks: how long until one is durable and acknowledged, at a steady rate, and what it costs."""
