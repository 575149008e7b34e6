"""Files that others train and give away, in their own formats: read, compared with the base model, then put on."""
