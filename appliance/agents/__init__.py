"""What the daemon does between commits: it follows VRRP, watches next hops and tunnels, talks to peers' gateways.

An agent never changes the configuration.  What it puts into the kernel is dynamic (elements with a time-out, routes of
its own metric, a daemon's state) and excluded from what a commit verifies.
"""
