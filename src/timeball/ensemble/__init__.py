"""The free time scale TA(k) from many clocks: AT1, its weights, rejections and their reasons."""
