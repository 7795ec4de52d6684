"""One file a source: measured round trips, a pair a line, and the model for pairs that nobody measured.

New measurements are a new file with their own source; a newer one does not overwrite an older.
"""
