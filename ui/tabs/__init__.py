"""The tabs of the page, a folder each; in all of them the same names: tab, handlers, drawing, share, text, api."""
