"""One file a provider: its regions and zones. A new region or zone goes here, with its metro and grid."""
