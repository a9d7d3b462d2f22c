"""Public fakes for authors of plugins and for our own tests. They share no code with what they try out."""
