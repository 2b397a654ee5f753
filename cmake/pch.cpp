// Exists to carry the precompiled header of plumb_pch.
