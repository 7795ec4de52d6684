"""What is true at the venue's accounts: asked of the providers with the user's own credentials, and never changed.

`preflight` asks before the first deployment, `standing` after one. A provider's module (`aws`, `gcp`, `hcloud`) is
imported only where a site of it is in the plan.
"""
