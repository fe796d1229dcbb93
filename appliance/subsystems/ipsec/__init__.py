"""IPsec tunnels: connections as charon takes them over VICI, one by one (semantics S9)."""
