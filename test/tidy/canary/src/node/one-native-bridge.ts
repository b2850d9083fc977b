import "koffi";
