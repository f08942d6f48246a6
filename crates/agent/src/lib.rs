//! The supervisor in front of every command: stages inputs, runs it, captures, measures, uploads
