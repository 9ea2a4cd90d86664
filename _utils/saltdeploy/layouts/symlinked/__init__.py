"""What layouts ``slots`` and ``releases`` share: complete work trees, and a link to one of them."""
