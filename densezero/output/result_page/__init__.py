"""The page of a result folder, for the browser: thumbnails of all images, with filters."""
