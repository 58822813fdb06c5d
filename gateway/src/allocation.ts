/**
 * Where V8 puts new objects, for the whole process. Owns: that one decision. Loaded before everything else: code that is compiled by then keeps what
 * was decided for it.
 *
 * V8 makes objects in the old generation right away where many that the same code made before have lived for a while. In a server these are requests
 * that were under way during a collection; once it takes more of them they die there young, each keeps alive what it refers to until the whole heap is
 * collected, and so more code seems to make objects that last. By HTTP/2 every request left 1 KB behind, and a tenth of all time went into collections.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-allocation-site-pretenuring');
