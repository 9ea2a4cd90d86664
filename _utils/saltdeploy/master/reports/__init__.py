"""What operators read of fleets, deploys and releases."""
