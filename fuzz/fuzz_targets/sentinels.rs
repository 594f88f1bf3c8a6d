#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rcli::fuzz::sentinels(data));
