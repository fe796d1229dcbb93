"""The packet filter and address translation: one nftables table of our own, rendered by subject, changed by delta."""
