"""Image data sets in their original public layouts, one file each, and what their readers share."""
