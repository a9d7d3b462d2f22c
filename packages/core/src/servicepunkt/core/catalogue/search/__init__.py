"""Search in the catalogue by the words that citizens use: a German analysis of our own in front of tantivy."""
