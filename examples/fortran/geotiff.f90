! Reads elevation models: GeoTIFF, little-endian, one band of int16 in tiles packed by DEFLATE, in longitude and latitude.
! That is what cloud optimised models of this kind look like; anything else is refused with a line that says so.
module geotiff
  use, intrinsic :: iso_fortran_env, only: int8, int16, int32, int64, real64
  use inflate, only: unpack_zlib
  implicit none
  private
  public :: model, read_model, fail

  type :: model
    integer :: columns = 0, rows = 0
    real(real64) :: step_x = 0, step_y = 0, west = 0, north = 0   ! degrees
    logical :: has_nodata = .false.
    integer :: nodata = 0
    integer(int16), allocatable :: height(:, :)                   ! column from the west, row from the north
  end type

contains

  function read_model(path) result(dem)
    character(*), intent(in) :: path
    type(model) :: dem
    integer(int8), allocatable :: file(:)
    integer :: directory

    file = bytes_of(path)
    if (size(file) < 8) call fail(path // ' is no TIFF')
    if (number(file, 0, 2) /= 18761 .or. number(file, 2, 2) /= 42) call fail(path // ' is no little-endian TIFF')
    directory = int(number(file, 4, 4))
    if (value(file, directory, 258, 8) /= 16 .or. value(file, directory, 339, 1) /= 2) &
      call fail('heights must be 16-bit integers with a sign')
    if (value(file, directory, 277, 1) /= 1) call fail('there must be one band')
    if (all(value(file, directory, 259, 1) /= [8, 32946])) call fail('tiles must be packed by DEFLATE')
    if (value(file, directory, 322, 0) == 0) call fail('the model must be tiled')
    dem%columns = value(file, directory, 256, 0)
    dem%rows = value(file, directory, 257, 0)
    if (dem%columns < 3 .or. dem%rows < 3) call fail('the model is too small')
    if (int(dem%columns, int64) * dem%rows > 400000000_int64) call fail('the model is too large')
    call place(file, directory, dem)
    call read_tiles(file, directory, dem)
  end function

  ! Size of cells, position of the first one, and which value means that there is no data.
  subroutine place(file, directory, dem)
    integer(int8), intent(in) :: file(:)
    integer, intent(in) :: directory
    type(model), intent(inout) :: dem
    integer :: at, count, status
    character(32) :: text

    call find(file, directory, 33550, at, count)
    if (count < 2) call fail('the size of cells is missing: is this a GeoTIFF?')
    dem%step_x = float_at(file, at)
    dem%step_y = float_at(file, at + 8)
    call find(file, directory, 33922, at, count)
    if (count < 6) call fail('the position is missing: is this a GeoTIFF?')
    dem%west = float_at(file, at + 24) - float_at(file, at) * dem%step_x
    dem%north = float_at(file, at + 32) + float_at(file, at + 8) * dem%step_y
    if (abs(dem%north) > 90.1_real64 .or. .not. (dem%step_x > 0 .and. dem%step_y > 0)) &
      call fail('the model must be in longitude and latitude')
    call find(file, directory, 42113, at, count)
    if (count == 0) return
    call need(file, at, count)
    text = ''
    text(:min(count, 32)) = transfer(file(at + 1:at + min(count, 32)), text(:min(count, 32)))
    if (index(text, char(0)) > 0) text(index(text, char(0)):) = ''
    read (text, *, iostat=status) dem%nodata
    dem%has_nodata = status == 0
  end subroutine

  ! Tiles are independent of one another: each thread unpacks its own.
  subroutine read_tiles(file, directory, dem)
    integer(int8), intent(in) :: file(:)
    integer, intent(in) :: directory
    type(model), intent(inout) :: dem
    integer :: width, height, across, tiles, offsets, sizes, n, m, tile, predictor
    logical :: is_broken

    width = value(file, directory, 322, 0)
    height = value(file, directory, 323, 0)
    predictor = value(file, directory, 317, 1)
    if (min(width, height) < 1 .or. max(width, height) > 4096) call fail('tiles of this size are not read')
    across = (dem%columns + width - 1) / width
    tiles = across * ((dem%rows + height - 1) / height)
    call find(file, directory, 324, offsets, n)
    call find(file, directory, 325, sizes, m)
    if (n /= tiles .or. m /= tiles) call fail('the list of tiles is damaged')
    allocate (dem%height(dem%columns, dem%rows))
    is_broken = .false.
    !$omp parallel do schedule(dynamic) reduction(.or.: is_broken)
    do tile = 0, tiles - 1
      is_broken = is_broken .or. .not. read_tile(tile)
    end do
    !$omp end parallel do
    if (is_broken) call fail('a tile is damaged')

  contains

    logical function read_tile(tile) result(ok)
      integer, intent(in) :: tile
      integer(int8), allocatable :: plain(:)
      integer(int16), allocatable :: cells(:, :)
      integer :: from, packed, left, top, column, row

      from = int(number(file, offsets + 4 * tile, 4))
      packed = int(number(file, sizes + 4 * tile, 4))
      ok = from > 0 .and. packed > 2 .and. int(from, int64) + packed <= size(file)
      if (.not. ok) return
      allocate (plain(2 * width * height))
      call unpack_zlib(file(from + 1:from + packed), plain, ok)
      if (.not. ok) return
      cells = reshape(transfer(plain, [0_int16]), [width, height])
      if (predictor == 2) then
        do row = 1, height
          do column = 2, width
            ! Differences to the left, modulo 65536.
            cells(column, row) = wrapped(int(cells(column, row)) + cells(column - 1, row))
          end do
        end do
      end if
      left = mod(tile, across) * width
      top = (tile / across) * height
      column = min(width, dem%columns - left)
      row = min(height, dem%rows - top)
      dem%height(left + 1:left + column, top + 1:top + row) = cells(:column, :row)
    end function
  end subroutine

  integer(int16) function wrapped(value)
    integer, intent(in) :: value

    wrapped = int(modulo(value + 32768, 65536) - 32768, int16)
  end function

  ! The single number of a tag, or what holds without it.
  integer function value(file, directory, tag, otherwise)
    integer(int8), intent(in) :: file(:)
    integer, intent(in) :: directory, tag, otherwise
    integer :: at, count, kind

    value = otherwise
    call find(file, directory, tag, at, count, kind)
    if (count == 1) value = int(number(file, at, merge(2, 4, kind == 3)))
  end function

  ! Where the values of a tag are, and how many; none if it is not there.
  subroutine find(file, directory, tag, at, count, kind)
    integer(int8), intent(in) :: file(:)
    integer, intent(in) :: directory, tag
    integer, intent(out) :: at, count
    integer, intent(out), optional :: kind
    integer :: i, entry, type
    integer(int64) :: bytes
    integer, parameter :: widths(12) = [1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8]

    at = 0
    count = 0
    do i = 0, int(number(file, directory, 2)) - 1
      entry = directory + 2 + 12 * i
      if (number(file, entry, 2) /= tag) cycle
      type = int(number(file, entry + 2, 2))
      if (type < 1 .or. type > 12) return
      bytes = number(file, entry + 4, 4) * widths(type)
      at = entry + 8
      if (bytes > 4) at = int(min(number(file, at, 4), int(huge(0), int64)))
      if (bytes > size(file)) call fail('the file is damaged')
      call need(file, at, int(bytes))
      count = int(bytes) / widths(type)
      if (present(kind)) kind = type
      return
    end do
  end subroutine

  ! A number of 2 or 4 bytes without a sign; offsets count from 0.
  integer(int64) function number(file, at, width)
    integer(int8), intent(in) :: file(:)
    integer, intent(in) :: at, width
    integer :: i

    call need(file, at, width)
    number = 0
    do i = width, 1, -1
      number = number * 256 + iand(int(file(at + i)), 255)
    end do
  end function

  real(real64) function float_at(file, at)
    integer(int8), intent(in) :: file(:)
    integer, intent(in) :: at

    call need(file, at, 8)
    float_at = transfer(file(at + 1:at + 8), float_at)
  end function

  subroutine need(file, at, bytes)
    integer(int8), intent(in) :: file(:)
    integer, intent(in) :: at, bytes

    if (at < 0 .or. int(at, int64) + bytes > size(file)) call fail('the file is damaged')
  end subroutine

  function bytes_of(path) result(bytes)
    character(*), intent(in) :: path
    integer(int8), allocatable :: bytes(:)
    integer :: unit, status
    integer(int64) :: length

    open (newunit=unit, file=path, access='stream', form='unformatted', action='read', status='old', iostat=status)
    if (status /= 0) call fail('can not read ' // path)
    inquire (unit=unit, size=length)
    if (length < 0 .or. length > 1000000000_int64) call fail(path // ' is no file of at most 1 GB')
    allocate (bytes(length))
    if (length > 0) read (unit, iostat=status) bytes
    if (status /= 0) call fail('can not read ' // path)
    close (unit)
  end function

  ! Says why on standard error, and ends with exit code 1.
  subroutine fail(why)
    use, intrinsic :: iso_fortran_env, only: error_unit
    character(*), intent(in) :: why

    write (error_unit, '(2a)') 'relief: ', why
    stop 1, quiet=.true.
  end subroutine
end module
