"""The catalogue for programs: one published revision, already encoded, with its ETag."""
