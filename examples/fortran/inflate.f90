! DEFLATE (RFC 1951) in its zlib wrapping (RFC 1950): what tiles of a GeoTIFF are packed with.
module inflate
  use, intrinsic :: iso_fortran_env, only: int8
  implicit none
  private
  public :: unpack_zlib

  integer, parameter :: longest_code = 15

  ! A canonical Huffman code: how many words there are of each length, and their meanings in order.
  type :: huffman
    integer :: count(0:longest_code) = 0
    integer :: meaning(0:287) = 0
  end type

  ! Where we are in the packed bytes and in the output.
  type :: state
    integer :: next = 1, bits = 0, waiting = 0, written = 0
    logical :: broken = .false.
  end type

  integer, parameter :: length_base(257:285) = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, &
    35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258]
  integer, parameter :: length_bits(257:285) = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, &
    3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
  integer, parameter :: distance_base(0:29) = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, &
    257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577]
  integer, parameter :: distance_bits(0:29) = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, &
    7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13]
  integer, parameter :: order_of_lengths(19) = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

contains

  ! Unpacks `packed` into `plain`; `ok` is false unless it fills it exactly.
  subroutine unpack_zlib(packed, plain, ok)
    integer(int8), intent(in) :: packed(:)
    integer(int8), intent(out) :: plain(:)
    logical, intent(out) :: ok
    type(state) :: at
    integer :: last, kind

    at%next = 3   ! after the two bytes of zlib
    last = 0
    do while (last == 0 .and. .not. at%broken)
      last = take(at, packed, 1)
      kind = take(at, packed, 2)
      select case (kind)
      case (0)
        call stored(at, packed, plain)
      case (1)
        call fixed(at, packed, plain)
      case (2)
        call dynamic(at, packed, plain)
      case default
        at%broken = .true.
      end select
    end do
    ok = .not. at%broken .and. at%written == size(plain)
  end subroutine

  ! The next bits, the lowest first.
  integer function take(at, packed, count)
    type(state), intent(inout) :: at
    integer(int8), intent(in) :: packed(:)
    integer, intent(in) :: count

    do while (at%waiting < count)
      if (at%next > size(packed)) then
        at%broken = .true.
        take = 0
        return
      end if
      at%bits = ior(at%bits, ishft(iand(int(packed(at%next)), 255), at%waiting))
      at%next = at%next + 1
      at%waiting = at%waiting + 8
    end do
    take = iand(at%bits, ishft(1, count) - 1)
    at%bits = ishft(at%bits, -count)
    at%waiting = at%waiting - count
  end function

  subroutine put(at, plain, byte)
    type(state), intent(inout) :: at
    integer(int8), intent(inout) :: plain(:)
    integer(int8), intent(in) :: byte

    if (at%written >= size(plain)) then
      at%broken = .true.
    else
      at%written = at%written + 1
      plain(at%written) = byte
    end if
  end subroutine

  subroutine stored(at, packed, plain)
    type(state), intent(inout) :: at
    integer(int8), intent(in) :: packed(:)
    integer(int8), intent(inout) :: plain(:)
    integer :: length, i

    at%bits = 0
    at%waiting = 0
    length = take(at, packed, 16)
    if (ieor(length, take(at, packed, 16)) /= 65535) at%broken = .true.
    do i = 1, length
      if (at%broken) return
      call put(at, plain, byte_of(take(at, packed, 8)))
    end do
  end subroutine

  subroutine fixed(at, packed, plain)
    type(state), intent(inout) :: at
    integer(int8), intent(in) :: packed(:)
    integer(int8), intent(inout) :: plain(:)
    integer :: lengths(0:287)

    lengths(0:143) = 8
    lengths(144:255) = 9
    lengths(256:279) = 7
    lengths(280:287) = 8
    call symbols(at, packed, plain, code_of(lengths), code_of(spread(5, 1, 30)))
  end subroutine

  ! A block that brings its codes, which are packed by a third.
  subroutine dynamic(at, packed, plain)
    type(state), intent(inout) :: at
    integer(int8), intent(in) :: packed(:)
    integer(int8), intent(inout) :: plain(:)
    integer :: literals, distances, of_lengths(0:18), lengths(0:319), n, i, symbol, value, times
    type(huffman) :: code

    literals = take(at, packed, 5) + 257
    distances = take(at, packed, 5) + 1
    of_lengths = 0
    do i = 1, take(at, packed, 4) + 4
      of_lengths(order_of_lengths(i)) = take(at, packed, 3)
    end do
    code = code_of(of_lengths)
    n = 0
    do while (n < literals + distances)
      symbol = decode(at, packed, code)
      value = 0
      select case (symbol)
      case (0:15)
        value = symbol
        times = 1
      case (16)
        if (n == 0) at%broken = .true.
        if (n > 0) value = lengths(n - 1)
        times = 3 + take(at, packed, 2)
      case (17)
        times = 3 + take(at, packed, 3)
      case default
        times = 11 + take(at, packed, 7)
      end select
      if (n + times > literals + distances) at%broken = .true.
      if (at%broken) return
      lengths(n:n + times - 1) = value
      n = n + times
    end do
    call symbols(at, packed, plain, code_of(lengths(:literals - 1)), code_of(lengths(literals:n - 1)))
  end subroutine

  ! Literals, and copies of what was written before, until the end of the block.
  subroutine symbols(at, packed, plain, literal, distance)
    type(state), intent(inout) :: at
    integer(int8), intent(in) :: packed(:)
    integer(int8), intent(inout) :: plain(:)
    type(huffman), intent(in) :: literal, distance
    integer :: symbol, length, back, i

    do
      symbol = decode(at, packed, literal)
      if (at%broken .or. symbol == 256) return
      if (symbol < 256) then
        call put(at, plain, byte_of(symbol))
        cycle
      end if
      if (symbol > 285) at%broken = .true.
      if (at%broken) return
      length = length_base(symbol) + take(at, packed, length_bits(symbol))
      symbol = decode(at, packed, distance)
      if (symbol > 29) at%broken = .true.
      if (at%broken) return
      back = distance_base(symbol) + take(at, packed, distance_bits(symbol))
      if (back > at%written) at%broken = .true.
      do i = 1, length
        if (at%broken) return
        call put(at, plain, plain(at%written + 1 - back))
      end do
    end do
  end subroutine

  ! The code whose words have these lengths; 0 = no word.
  type(huffman) function code_of(lengths) result(code)
    integer, intent(in) :: lengths(0:)
    integer :: length, symbol, n

    n = 0
    do length = 1, longest_code
      code%count(length) = count(lengths == length)
      do symbol = 0, size(lengths) - 1
        if (lengths(symbol) /= length) cycle
        code%meaning(n) = symbol
        n = n + 1
      end do
    end do
  end function

  integer function decode(at, packed, code)
    type(state), intent(inout) :: at
    integer(int8), intent(in) :: packed(:)
    type(huffman), intent(in) :: code
    integer :: word, first, index, length

    word = 0
    first = 0
    index = 0
    do length = 1, longest_code
      word = ior(word, take(at, packed, 1))
      if (word - first < code%count(length)) then
        decode = code%meaning(index + word - first)
        return
      end if
      index = index + code%count(length)
      first = ishft(first + code%count(length), 1)
      word = ishft(word, 1)
    end do
    at%broken = .true.
    decode = 0
  end function

  integer(int8) function byte_of(value)
    integer, intent(in) :: value

    byte_of = int(merge(value - 256, value, value > 127), int8)
  end function
end module
