"""densezero inside other people's engines, a file each; importing this loads none of them."""
